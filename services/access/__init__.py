"""Who asks: the admin's password and links, API keys, the network and the proxies in front."""
