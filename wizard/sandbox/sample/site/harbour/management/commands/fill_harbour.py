"""Fill an empty, migrated database with Harbour Street's pages. The same N, the same site."""

from datetime import timedelta
from unittest.mock import patch

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from harbour_cast.models import HomePage

from harbour.crowd import tell_many
from harbour.grammar import more_stories
from harbour.stories import STORIES
from harbour.town import Clock, Town

SEED = 1974
BY_HAND = 60  # posts made as an editor would; the rest of a large site is inserted in bulk
DAYS = 1600  # how long the site has been told


class Command(BaseCommand):
    help = "Fill an empty, migrated database with the pages of Harbour Street."

    def add_arguments(self, parser):
        parser.add_argument("--posts", type=int, default=40, help="in both blogs together")
        parser.add_argument("--hostname", default="harbour.example")
        parser.add_argument("--port", type=int, default=443)

    def handle(self, *, posts, hostname, port, **options):
        if posts < len(STORIES):
            raise CommandError(f"--posts must be at least {len(STORIES)}.")
        if HomePage.objects.exists():
            raise CommandError("There is a site in this database already.")
        stories = [*STORIES, *more_stories(posts - len(STORIES), SEED)]
        by_hand, crowd = stories[:BY_HAND], stories[BY_HAND:]
        step = timedelta(days=DAYS) / len(stories)
        clock = Clock()
        with patch("django.utils.timezone.now", clock), transaction.atomic():
            town = Town(clock, SEED)
            town.settle()
            town.draw()
            town.build(hostname, port)
            town.tell(by_hand, step)
            for done in tell_many(town, crowd, first=len(by_hand), step=step):
                self.stdout.write(f"{len(by_hand) + done} of {posts} posts")
            town.live_on()
            if crowd:
                call_command("rebuild_references_index", verbosity=0)
        self.stdout.write(f"Filled with {posts} posts.")
