# Read by the `flask` command, before .env.
FLASK_APP=app:app_for_commands
