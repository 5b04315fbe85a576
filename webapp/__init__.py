"""What the server and the CGI scripts share: jobs, their queue, engines, pages, checks on what comes in.

Never imports torch: a CGI script must start in tens of milliseconds.
"""
