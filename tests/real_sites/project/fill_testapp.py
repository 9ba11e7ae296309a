"""Wagtail's test.json, and what it lacks around the pages that are converted."""

import datetime

import django

django.setup()  # before anything that has models

import traces
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from wagtail.models import Locale, Page, Site
from wagtail.test.demosite.models import (
    StandardPage,
    StandardPageCarouselItem,
    StandardPageRelatedLink,
)
from wagtail.test.testapp.models import (
    EventCategory,
    EventPage,
    EventPageCarouselItem,
    EventPageChooserModel,
    EventPageSpeakerAward,
    HeadCountRelatedModelUsingPK,
    PageChooserModel,
    RelatedGenericRelation,
    SimplePage,
    SingleEventPage,
    StreamPage,
    TaggedPage,
)

call_command("loaddata", "test.json", verbosity=0)
admin, editor = traces.editors()
home = Site.objects.get().root_page
locale = Locale.get_default()


def link(*pages):
    return "".join(f'<p><a id="{p.pk}" linktype="page">{p.title}</a></p>' for p in pages)


def draw(page):
    page.save()  # or the rows beside it would have no keys in the revision
    page.save_revision(user=editor, log_action=True).publish(user=admin)
    return page


christmas = EventPage.objects.get(slug="christmas")
christmas.categories = EventCategory.objects.bulk_create(
    [EventCategory(name=name, locale=locale) for name in ("Winter", "Party")]
)
christmas.body = link(christmas, Page.objects.get(slug="final-event"))
christmas.carousel_items.add(
    EventPageCarouselItem(caption="A tree", link_page=christmas, locale=locale)
)
christmas.head_counts.add(HeadCountRelatedModelUsingPK(head_count=12, related_page=christmas))
draw(christmas)
speaker = christmas.speakers.first()
EventPageSpeakerAward.objects.create(
    speaker=speaker, name="Beard", date_awarded=datetime.date(2001, 2, 3), locale=locale
)
single = SingleEventPage.objects.get(slug="saint-patrick")
single.carousel_items.add(
    EventPageCarouselItem(caption="A clover", link_page=christmas, locale=locale)
)
single.body = link(christmas, single)
single.excerpt = "Green"
draw(single)

tagged = []
for number in (1, 2, 3):
    page = TaggedPage(title=f"Tagged {number}", slug=f"tagged-{number}", owner=editor)
    home.add_child(instance=page)
    page.tags.add("sea", f"number-{number}")
    page.save()
    tagged.append(draw(page))

standard = []
for number in (1, 2):
    page = StandardPage(
        title=f"Standard {number}",
        slug=f"standard-{number}",
        intro="<p>Let go</p>" if number == 2 else "",
        body=link(christmas, *standard),
    )
    home.add_child(instance=page)
    for order, (caption, to) in enumerate([("One", page), ("Two", christmas)]):
        page.carousel_items.add(
            StandardPageCarouselItem(caption=caption, link_page=to, sort_order=order)
        )
    page.related_links.add(StandardPageRelatedLink(title="Itself", link_page=page, sort_order=0))
    standard.append(draw(page))

simple = SimplePage.objects.get(slug="about-us")
draw(simple)
converted = [christmas, single, tagged[0], standard[0], simple]
for page in converted:
    traces.drafts(page, editor, title=f"{page.title}, changed in a draft")
    traces.around(page, editor)
    PageChooserModel.objects.create(page=page)
    RelatedGenericRelation.objects.create(
        content_type=ContentType.objects.get_for_model(page), object_id=page.pk
    )
for page in (christmas, single):
    EventPageChooserModel.objects.create(page_id=page.pk)
traces.private(tagged[1])
traces.scheduled(tagged[1], editor)
stream = StreamPage(
    title="Stream", slug="stream", body=[("text", "x"), ("rich_text", link(*converted))]
)
home.add_child(instance=stream)
draw(stream)
