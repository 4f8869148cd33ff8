"""Guards, security headers, CORS, sessions, and which proxies are trusted."""
