"""A registry starts with its head, the domain that an identifier leaves out, and the region that a call leaves out."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("routing", "0001_initial")]

    operations = [
        migrations.RunSQL(
            sql="""
            INSERT INTO routing_domain (slug, key_path, is_paused) VALUES ('stripe', '', false);
            INSERT INTO routing_region (slug) VALUES ('default');
            """,
            reverse_sql="""
            DELETE FROM routing_region WHERE slug = 'default';
            DELETE FROM routing_domain WHERE slug = 'stripe';
            """,
        )
    ]
