"""Articles of Wagtail CRX: tags, classifiers, walls of content, and what editors leave on them."""

import datetime
import uuid

import django

django.setup()  # before anything that has models

import traces
from coderedcms.models import Classifier, ClassifierTerm
from django.contrib.auth import get_user_model
from wagtail.images import get_image_model
from wagtail.images.tests.utils import get_test_image_file
from wagtail.models import Site
from website.models import ArticleIndexPage, ArticlePage

admin, editor = traces.editors()
writer = get_user_model().objects.get(username="editor")
home = Site.objects.get().root_page
image = get_image_model().objects.create(title="Sea", file=get_test_image_file())
subject = Classifier.objects.create(name="Subject", slug="subject")
terms = [
    ClassifierTerm.objects.create(classifier=subject, name=name, slug=name.lower(), sort_order=n)
    for n, name in enumerate(("Sea", "Harbour"))
]


def links(*pages):
    return "".join(f'<p><a linktype="page" id="{p.pk}">{p.title}</a></p>' for p in pages)


def body(*pages):
    button = {"button_title": "Go", "page_link": pages[0].pk if pages else None}
    blocks = [("text", links(*pages)), ("button", button)]
    return [{"type": kind, "value": value, "id": str(uuid.uuid4())} for kind, value in blocks]


def add(parent, cls, title, **values):
    page = cls(title=title, slug=title.lower().replace(" ", "-"), owner=editor, **values)
    parent.add_child(instance=page)
    return page


def draw(page):
    page.save()  # or the rows beside it would have no keys in the revision
    page.save_revision(user=editor, log_action=True).publish(user=admin)
    return page


index = add(home, ArticleIndexPage, "Articles")
# CRX sets a field's choices in __init__, for all its types at once: one that each of them has.
index.index_order_by = "title"
index.index_classifiers.add(subject)
index = draw(index)
articles = []
for number in range(1, 7):
    article = add(
        index,
        ArticlePage,
        f"Article {number}",
        caption=f"Caption {number}",
        author=writer,
        author_display=f"A. Writer {number}",
        date_display=datetime.date(2026, 2, number),
        cover_image=image,
        og_image=image,
        related_num=2,
        related_classifier_term=terms[0],
        search_description=f"About {number}",
    )
    article.body = body(*articles, article)
    article.tags.add("sea", f"number-{number}")
    article.classifier_terms.add(*terms[: number % 3])
    articles.append(draw(article))
for article in articles[:4]:
    traces.drafts(article, editor, caption="changed in a draft", body=body(*articles))
    traces.around(article, editor)
traces.private(articles[1])
traces.scheduled(articles[2], editor)
traces.alias(articles[0], admin, "mirror")
index = ArticleIndexPage.objects.get(pk=index.pk)  # with its number of children as it is by now
index.body = body(*articles)
draw(index)
