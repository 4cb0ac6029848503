"""Writes cities.csv, the real places that sample scenarios are made of: `python -m workers.make_cities`.

Latitude and longitude in degrees (WGS 84); population of the city proper, rounded to thousands.
"""

import csv
from pathlib import Path

CITIES_CSV = Path(__file__).with_name("cities.csv")

COLUMNS = ("name", "country", "latitude_deg", "longitude_deg", "population")
CITIES = (
    ("Amsterdam", "NL", 52.370, 4.895, 921_000),
    ("Antwerp", "BE", 51.219, 4.402, 536_000),
    ("Athens", "GR", 37.984, 23.728, 643_000),
    ("Barcelona", "ES", 41.385, 2.173, 1_656_000),
    ("Belgrade", "RS", 44.817, 20.457, 1_197_000),
    ("Berlin", "DE", 52.520, 13.405, 3_755_000),
    ("Birmingham", "GB", 52.486, -1.890, 1_145_000),
    ("Bordeaux", "FR", 44.838, -0.579, 262_000),
    ("Bratislava", "SK", 48.149, 17.108, 476_000),
    ("Brussels", "BE", 50.850, 4.352, 1_223_000),
    ("Bucharest", "RO", 44.427, 26.102, 1_717_000),
    ("Budapest", "HU", 47.498, 19.040, 1_686_000),
    ("Cologne", "DE", 50.938, 6.960, 1_084_000),
    ("Copenhagen", "DK", 55.676, 12.568, 653_000),
    ("Dublin", "IE", 53.350, -6.260, 592_000),
    ("Frankfurt", "DE", 50.110, 8.682, 773_000),
    ("Gdansk", "PL", 54.352, 18.647, 486_000),
    ("Genoa", "IT", 44.406, 8.946, 558_000),
    ("Glasgow", "GB", 55.864, -4.252, 635_000),
    ("Gothenburg", "SE", 57.709, 11.975, 604_000),
    ("Hamburg", "DE", 53.551, 9.994, 1_892_000),
    ("Hanover", "DE", 52.376, 9.732, 545_000),
    ("Helsinki", "FI", 60.170, 24.938, 664_000),
    ("Krakow", "PL", 50.065, 19.945, 804_000),
    ("Leipzig", "DE", 51.340, 12.375, 616_000),
    ("Lille", "FR", 50.629, 3.057, 236_000),
    ("Lisbon", "PT", 38.722, -9.139, 546_000),
    ("Ljubljana", "SI", 46.056, 14.506, 285_000),
    ("London", "GB", 51.507, -0.128, 8_866_000),
    ("Lyon", "FR", 45.764, 4.836, 522_000),
    ("Madrid", "ES", 40.417, -3.704, 3_332_000),
    ("Manchester", "GB", 53.481, -2.243, 552_000),
    ("Marseille", "FR", 43.297, 5.370, 873_000),
    ("Milan", "IT", 45.464, 9.190, 1_354_000),
    ("Munich", "DE", 48.137, 11.576, 1_512_000),
    ("Nantes", "FR", 47.218, -1.554, 323_000),
    ("Naples", "IT", 40.852, 14.268, 914_000),
    ("Nuremberg", "DE", 49.452, 11.077, 523_000),
    ("Oslo", "NO", 59.914, 10.752, 709_000),
    ("Paris", "FR", 48.857, 2.352, 2_103_000),
    ("Porto", "PT", 41.158, -8.629, 232_000),
    ("Poznan", "PL", 52.406, 16.925, 541_000),
    ("Prague", "CZ", 50.076, 14.438, 1_357_000),
    ("Riga", "LV", 56.950, 24.105, 605_000),
    ("Rome", "IT", 41.903, 12.496, 2_749_000),
    ("Rotterdam", "NL", 51.924, 4.478, 664_000),
    ("Seville", "ES", 37.389, -5.984, 681_000),
    ("Sofia", "BG", 42.698, 23.322, 1_280_000),
    ("Stockholm", "SE", 59.329, 18.069, 985_000),
    ("Strasbourg", "FR", 48.573, 7.752, 291_000),
    ("Stuttgart", "DE", 48.776, 9.183, 633_000),
    ("Tallinn", "EE", 59.437, 24.754, 454_000),
    ("Toulouse", "FR", 43.605, 1.444, 504_000),
    ("Turin", "IT", 45.070, 7.687, 848_000),
    ("Valencia", "ES", 39.470, -0.376, 807_000),
    ("Vienna", "AT", 48.208, 16.374, 1_982_000),
    ("Vilnius", "LT", 54.687, 25.280, 593_000),
    ("Warsaw", "PL", 52.230, 21.012, 1_862_000),
    ("Zagreb", "HR", 45.815, 15.982, 767_000),
    ("Zurich", "CH", 47.377, 8.542, 443_000),
)


def write_cities(path: Path = CITIES_CSV) -> None:
    """Write the table of cities as a CSV file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(CITIES)


if __name__ == "__main__":
    write_cities()
