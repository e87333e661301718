"""How much bots may move, held and counted by the database itself."""
