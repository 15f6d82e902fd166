"""Row-level security, forced: what a migration runs for each table that holds a platform's rows."""

from alembic import op


def protect_by_platform(table: str, column: str = "platform_id") -> None:
    """Let a transaction see and write only the rows of its platform, the table's owner included."""
    seen = "current_setting('crosswatch.platform', true)"
    rule = f"{seen} = '*' OR {column} = {seen}"
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY own_platform ON {table} USING ({rule}) WITH CHECK ({rule})")
