import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('blog', '0003_remove_moved_fields_from_blog'),
    ]

    operations = [
        migrations.RenameField(
            model_name='podcast',
            old_name='new_keywords',
            new_name='keywords',
        ),
        migrations.RenameField(
            model_name='podcast',
            old_name='new_explicit',
            new_name='explicit',
        ),
        migrations.RenameField(
            model_name='podcast',
            old_name='new_cover',
            new_name='cover',
        ),
        migrations.RenameField(
            model_name='podcast',
            old_name='new_parts',
            new_name='parts',
        ),
        migrations.AlterField(
            model_name='podcast',
            name='cover',
            field=models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='covered', to='wagtailimages.image'),
        ),
    ]
