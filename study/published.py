"""Numbers that others have measured, to be shown beside one's own: never computed here.

Open-Unmix's: median SDR of the vocals, in dB, on MUSDB18's (umx) and MUSDB18-HQ's test songs, from the README of
https://github.com/sigsep/open-unmix-pytorch. SiSEC's: as the thesis quotes them, of the campaign of 2018.
"""

OPENUNMIX = {"umx": 6.32, "umxhq": 6.25, "umxl": 7.21}
SISEC = {"TAK": 5.2, "UMX": 5.18, "TAU": 5.17, "UHL": 5.12, "JY": 5.1, "STL": 3.1}
