"""The web application: what the server, the CGI scripts and the worker share.

It never imports torch, so that a CGI script starts in tens of milliseconds. Imports go one way: server and cgi →
pages → jobs → engines and audio; worker → jobs. The modules beside these packages are shared by all of them.
"""
