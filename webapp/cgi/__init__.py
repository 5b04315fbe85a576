"""What the CGI scripts share: reading the request, receiving an upload, and answering."""
