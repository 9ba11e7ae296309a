# Made by Django.
# ruff: noqa

import django.db.models.deletion
import wagtail.fields
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("wagtailcore", "0098_apitoken"),
        ("wagtailimages", "0027_image_description"),
    ]

    operations = [
        migrations.CreateModel(
            name="Blog",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to=settings.WAGTAIL_PAGE_MODEL,
                    ),
                ),
                ("description", wagtail.fields.RichTextField(blank=True)),
                ("itunes_categories", models.CharField(blank=True, default="", max_length=512)),
                ("keywords", models.CharField(blank=True, default="", max_length=255)),
                (
                    "explicit",
                    models.PositiveSmallIntegerField(choices=[(1, "yes"), (2, "no")], default=1),
                ),
                (
                    "itunes_artwork",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="wagtailimages.image",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
            bases=("wagtailcore.page",),
        ),
        migrations.CreateModel(
            name="Post",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to=settings.WAGTAIL_PAGE_MODEL,
                    ),
                ),
                ("intro", wagtail.fields.RichTextField(blank=True)),
                (
                    "body",
                    wagtail.fields.StreamField(
                        [("text", 0), ("see", 1)],
                        block_lookup={
                            0: ("wagtail.blocks.RichTextBlock", (), {}),
                            1: ("wagtail.blocks.PageChooserBlock", (), {}),
                        },
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
            bases=("wagtailcore.page",),
        ),
        migrations.CreateModel(
            name="Episode",
            fields=[
                (
                    "post_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="bench.post",
                    ),
                ),
                ("number", models.PositiveIntegerField(blank=True, null=True)),
                ("keywords", models.CharField(blank=True, default="", max_length=255)),
                ("block", models.BooleanField(default=False)),
            ],
            options={
                "abstract": False,
            },
            bases=("bench.post",),
        ),
        migrations.CreateModel(
            name="Podcast",
            fields=[
                (
                    "blog_ptr",
                    models.OneToOneField(
                        auto_created=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        parent_link=True,
                        primary_key=True,
                        serialize=False,
                        to="bench.blog",
                    ),
                ),
                ("new_itunes_categories", models.CharField(blank=True, default="", max_length=512)),
                ("new_keywords", models.CharField(blank=True, default="", max_length=255)),
                (
                    "new_explicit",
                    models.PositiveSmallIntegerField(choices=[(1, "yes"), (2, "no")], default=1),
                ),
                (
                    "new_itunes_artwork",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="wagtailimages.image",
                    ),
                ),
            ],
            options={
                "abstract": False,
            },
            bases=("bench.blog",),
        ),
    ]
