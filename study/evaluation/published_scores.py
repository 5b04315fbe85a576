"""Published scores of other authors, which the report shows for comparison.

OPENUNMIX: median SDR of the vocals in dB on the test songs of MUSDB18 (umx) and MUSDB18-HQ, from the README of
https://github.com/sigsep/open-unmix-pytorch. SISEC: scores of the 2018 campaign as quoted in the thesis.
"""

OPENUNMIX = {"umx": 6.32, "umxhq": 6.25, "umxl": 7.21}
SISEC = {"TAK": 5.2, "UMX": 5.18, "TAU": 5.17, "UHL": 5.12, "JY": 5.1, "STL": 3.1}
