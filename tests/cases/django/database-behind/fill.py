from wagtail.models import Page, Site, Locale
from django.contrib.auth import get_user_model
from blog.models import *
from blog import models as m
U = get_user_model().objects.create_superuser("ana", "a@b.c", "x")
root = Page.objects.get(depth=1)
Page.objects.filter(depth=2).delete(); root.refresh_from_db()
root = Page.objects.get(depth=1)
home = root.add_child(instance=m.HomePage(title="Home", slug="home"))
Site.objects.all().delete(); Site.objects.create(hostname="t.example", port=443, root_page=home, is_default_site=True)
KW = globals().get("EXTRA", {})
for n in ("show", "talk", "news"):
    kw = {k: v for k, v in dict(keywords=f"kw-{n}", explicit=2, body=f"<p>{n}</p>").items() if any(f.name == k for f in m.Blog._meta.get_fields())}
    b = home.add_child(instance=m.Blog(title=n.title(), slug=n, **kw))
    b.save_revision(user=U).publish()
    if hasattr(m, "Post"):
        for i in range(2):
            p = b.add_child(instance=m.Post(title=f"{n} {i}", slug=f"{n}-{i}", body="x")); p.save_revision().publish()
from django.core.files.images import ImageFile
from io import BytesIO
from PIL import Image as Picture
from wagtail.images.models import Image
data = BytesIO(); Picture.new("RGB", (9, 9)).save(data, "PNG"); data.seek(0)
image = Image.objects.create(title="Sea", file=ImageFile(data, "sea.png"))
talk = m.Blog.objects.get(slug="talk")
show = m.Blog.objects.get(slug="show")
show.cover = image
show.parts = [("part", {"words": f'<a linktype="page" id="{show.pk}">here</a>', "image": image, "link": show}), ("note", "n")]
show.save(); show.save_revision(user=U).publish()
talk.parts = [("part", {"words": "<p>w</p>", "image": None, "link": show})]
talk.save(); talk.save_revision(user=U).publish()
