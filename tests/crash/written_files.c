/* What a process writes to files under $RECORD_ROOT, and what it syncs, as records appended to
 * $RECORD_LOG: for a power failure that is played afterwards. To be preloaded (ld.so(8)).
 *
 * A record is a line, `op offset length path[\tpath]`, and for a write the bytes themselves. Calls
 * that copy within the kernel are refused, so that their callers fall back on read and write. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

static int ours(const char *path) {
    const char *root = getenv("RECORD_ROOT");
    size_t length = root ? strlen(root) : 0;
    return length && !strncmp(path, root, length) && (path[length] == '/' || !path[length]);
}

/* A path without links and dots but for its last part, which may be a link or not there. */
static int resolved(int folder, const char *path, char *out) {
    char whole[2 * PATH_MAX + 2], top[PATH_MAX], link[64];
    if (*path == '/') {
        snprintf(whole, sizeof whole, "%s", path);
    } else if (folder == AT_FDCWD) {
        if (!getcwd(top, sizeof top)) return 0;
        snprintf(whole, sizeof whole, "%s/%s", top, path);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
        ssize_t length = readlink(link, top, sizeof top - 1);
        if (length < 0) return 0;
        top[length] = 0;
        snprintf(whole, sizeof whole, "%s/%s", top, path);
    }
    char *last = strrchr(whole, '/'), name[NAME_MAX + 1];
    snprintf(name, sizeof name, "%s", last + 1);
    *last = 0;
    if (!realpath(*whole ? whole : "/", top)) return 0;
    return snprintf(out, PATH_MAX, "%s/%s", top, name) < PATH_MAX && ours(out);
}

static int opened(int descriptor, char *out) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    if (length < 0) return 0;
    out[length] = 0;
    return ours(out) && !strstr(out, " (deleted)");
}

static void record(const char *op, long long offset, const void *data, size_t length,
                   const char *path, const char *other) {
    int kept = errno;
    const char *log = getenv("RECORD_LOG");
    char head[2 * PATH_MAX + 100];
    int size = snprintf(head, sizeof head, "%s %lld %zu %s%s%s\n", op, offset, data ? length : 0,
                        path, other ? "\t" : "", other ? other : "");
    int descriptor = log ? syscall(SYS_openat, AT_FDCWD, log,
                                   O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (descriptor >= 0) {
        struct iovec parts[] = {{head, size}, {(void *)data, data ? length : 0}};
        if (syscall(SYS_writev, descriptor, parts, 2) < 0) abort();
        syscall(SYS_close, descriptor);
    }
    errno = kept;
}

#define REAL(name) __typeof__(&name) real = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

static int making(int flags, const char *path) {
    return (flags & O_CREAT) && syscall(SYS_faccessat, AT_FDCWD, path, F_OK) != 0;
}

#define OPEN(NAME, FOLDER, PARAMETERS, CALL)                                        \
    int NAME PARAMETERS {                                                           \
        mode_t mode = 0;                                                            \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                      \
            va_list more;                                                           \
            va_start(more, flags);                                                  \
            mode = va_arg(more, mode_t);                                            \
            va_end(more);                                                           \
        }                                                                           \
        char full[PATH_MAX];                                                        \
        int known = (flags & (O_CREAT | O_TRUNC)) && resolved(FOLDER, path, full);  \
        int makes = known && making(flags, full);                                   \
        REAL(NAME);                                                                 \
        int descriptor = real CALL;                                                 \
        if (descriptor >= 0 && makes) record("create", 0, NULL, 0, full, NULL);     \
        else if (descriptor >= 0 && known && (flags & O_TRUNC))                     \
            record("truncate", 0, NULL, 0, full, NULL);                             \
        return descriptor;                                                          \
    }
OPEN(open, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(open64, AT_FDCWD, (const char *path, int flags, ...), (path, flags, mode))
OPEN(openat, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))
OPEN(openat64, folder, (int folder, const char *path, int flags, ...), (folder, path, flags, mode))

ssize_t write(int descriptor, const void *data, size_t length) {
    REAL(write);
    char full[PATH_MAX];
    if (!opened(descriptor, full)) return real(descriptor, data, length);
    long long offset = lseek(descriptor, 0, SEEK_CUR);
    if (fcntl(descriptor, F_GETFL) & O_APPEND) offset = lseek(descriptor, 0, SEEK_END);
    ssize_t done = real(descriptor, data, length);
    if (done > 0 && offset >= 0) record("write", offset, data, done, full, NULL);
    return done;
}

static ssize_t at(ssize_t done, int descriptor, const void *data, long long offset) {
    char full[PATH_MAX];
    if (done > 0 && opened(descriptor, full)) record("write", offset, data, done, full, NULL);
    return done;
}

ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) {
    REAL(pwrite);
    return at(real(descriptor, data, length, offset), descriptor, data, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset) {
    REAL(pwrite64);
    return at(real(descriptor, data, length, offset), descriptor, data, offset);
}

ssize_t sendfile(int out, int in, off_t *offset, size_t count) { errno = ENOTSOCK; return -1; }
ssize_t sendfile64(int out, int in, off64_t *offset, size_t count) { errno = ENOTSOCK; return -1; }
ssize_t copy_file_range(int in, off64_t *from, int out, off64_t *to, size_t n, unsigned flags) {
    errno = ENOSYS;
    return -1;
}

#define TRUNCATE(NAME, TYPE)                                                                    \
    int NAME(int descriptor, TYPE length) {                                                     \
        REAL(NAME);                                                                             \
        char full[PATH_MAX];                                                                    \
        int known = opened(descriptor, full), done = real(descriptor, length);                  \
        if (!done && known) record("truncate", length, NULL, 0, full, NULL);                    \
        return done;                                                                            \
    }
TRUNCATE(ftruncate, off_t)
TRUNCATE(ftruncate64, off64_t)

#define SYNC(NAME)                                                          \
    int NAME(int descriptor) {                                              \
        REAL(NAME);                                                         \
        char full[PATH_MAX];                                                \
        int known = opened(descriptor, full), done = real(descriptor);      \
        if (!done && known) record("sync", 0, NULL, 0, full, NULL);         \
        return done;                                                        \
    }
SYNC(fsync)
SYNC(fdatasync)

static int renamed(int done, int a, const char *from, int b, const char *to) {
    char first[PATH_MAX], second[PATH_MAX];
    int known = resolved(a, from, first), there = resolved(b, to, second);
    if (!done && (known || there)) record("rename", 0, NULL, 0, first, second);
    return done;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    return renamed(real(from, to), AT_FDCWD, from, AT_FDCWD, to);
}

int renameat(int a, const char *from, int b, const char *to) {
    REAL(renameat);
    return renamed(real(a, from, b, to), a, from, b, to);
}

int unlink(const char *path) {
    REAL(unlink);
    char full[PATH_MAX];
    int known = resolved(AT_FDCWD, path, full), done = real(path);
    if (!done && known) record("unlink", 0, NULL, 0, full, NULL);
    return done;
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(unlinkat);
    char full[PATH_MAX];
    int known = resolved(folder, path, full), done = real(folder, path, flags);
    if (!done && known) record("unlink", 0, NULL, 0, full, NULL);
    return done;
}

int rmdir(const char *path) {
    REAL(rmdir);
    char full[PATH_MAX];
    int known = resolved(AT_FDCWD, path, full), done = real(path);
    if (!done && known) record("unlink", 0, NULL, 0, full, NULL);
    return done;
}

int mkdir(const char *path, mode_t mode) {
    REAL(mkdir);
    char full[PATH_MAX];
    int done = real(path, mode);
    if (!done && resolved(AT_FDCWD, path, full)) record("mkdir", 0, NULL, 0, full, NULL);
    return done;
}
