import blog.migrations._guard
from django.db import migrations


class Migration(migrations.Migration):

    dependencies = [
        ('blog', '0002_podcast'),
    ]

    operations = [
        blog.migrations._guard.RequireValuesMoved(
            key='blog.0003',
            old='blog',
            new='podcast',
            fields=['keywords', 'explicit', 'cover', 'parts'],
        ),
        migrations.RemoveField(
            model_name='blog',
            name='keywords',
        ),
        migrations.RemoveField(
            model_name='blog',
            name='explicit',
        ),
        migrations.RemoveField(
            model_name='blog',
            name='cover',
        ),
        migrations.RemoveField(
            model_name='blog',
            name='parts',
        ),
    ]
