# Read by the `flask` command, before .env.
FLASK_APP=cli:app_for_commands
