"""Pages built with other people's libraries, which post to the service in a real browser."""
