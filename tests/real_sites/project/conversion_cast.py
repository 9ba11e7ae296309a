"""What the conversion of posts to episodes has computed."""


def episode_number(post):
    """Part 3 is episode 3."""
    return int(post.title.rsplit(" ", 1)[1])
