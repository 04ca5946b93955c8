"""One module per comparison: starts both servers, measures in turns, gives the rows of the table."""
