import blog.migrations._guard
import blog.models
import django.db.models.deletion
import wagtail.fields
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('blog', '0001_initial'),
        ('wagtailimages', '0027_image_description'),
    ]

    operations = [
        migrations.CreateModel(
            name='Podcast',
            fields=[
                ('blog_ptr', models.OneToOneField(auto_created=True, on_delete=django.db.models.deletion.CASCADE, parent_link=True, primary_key=True, serialize=False, to='blog.blog')),
                ('new_keywords', models.CharField(blank=True, default='', max_length=255)),
                ('new_explicit', models.PositiveSmallIntegerField(choices=[(1, '1'), (2, '2'), (3, '3')], default=blog.models.rating)),
                ('new_parts', wagtail.fields.StreamField([('part', 3), ('note', 4)], blank=True, block_lookup={0: ('wagtail.blocks.RichTextBlock', (), {}), 1: ('wagtail.images.blocks.ImageChooserBlock', (), {'required': False}), 2: ('wagtail.blocks.PageChooserBlock', (), {'required': False}), 3: ('wagtail.blocks.StructBlock', [[('words', 0), ('image', 1), ('link', 2)]], {}), 4: ('wagtail.blocks.CharBlock', (), {})})),
                ('new_cover', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='new_covered', to='wagtailimages.image')),
            ],
            options={
                'abstract': False,
            },
            bases=('blog.blog',),
        ),
        blog.migrations._guard.RequireNoRows(
            key='blog.0002',
            new='podcast',
        ),
    ]
