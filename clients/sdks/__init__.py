"""The SDKs of Azure, in their newest versions and asynchronous: what each is asked to do. Runs in .venv-clients."""
