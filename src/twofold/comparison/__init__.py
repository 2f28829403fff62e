"""`compare`: several methods and seeds under one budget, each run trained and measured once, in one table and page."""
