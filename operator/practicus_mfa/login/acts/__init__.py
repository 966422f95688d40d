"""What administrators do to users by the pages, each act judged anew and with its line in the audit."""
