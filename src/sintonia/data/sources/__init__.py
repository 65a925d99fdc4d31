"""Raw silos: found, read, mapped to the table contracts; rows that break a contract are kept with their reason."""
