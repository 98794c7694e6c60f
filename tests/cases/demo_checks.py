"""What each check of the demo's tables counts, as plain SQL on the files, written by hand.

Each condition is true for a row that breaks the check. `UNIQUE` has keys of which no two rows of
one file may share the values.
"""

from __future__ import annotations

COLUMNS = {
    "airlines": "carrier VARCHAR, name VARCHAR",
    "airports": "faa VARCHAR, name VARCHAR, lat DOUBLE, lon DOUBLE, alt INT, tz INT, dst VARCHAR, "
    "tzone VARCHAR",
    "planes": "tailnum VARCHAR, year INT, type VARCHAR, manufacturer VARCHAR, model VARCHAR, "
    "engines INT, seats INT, speed INT, engine VARCHAR",
    "weather": "origin VARCHAR, year INT, month INT, day INT, hour INT, temp DOUBLE, dewp DOUBLE, "
    "humid DOUBLE, wind_dir INT, wind_speed DOUBLE, wind_gust DOUBLE, precip DOUBLE, "
    "pressure DOUBLE, visib DOUBLE, time_hour TIMESTAMPTZ",
    "flights": "year INT, month INT, day INT, dep_time INT, sched_dep_time INT, dep_delay INT, "
    "arr_time INT, sched_arr_time INT, arr_delay INT, carrier VARCHAR, flight INT, "
    "tailnum VARCHAR, origin VARCHAR, dest VARCHAR, air_time INT, distance INT, hour INT, "
    "minute INT, time_hour TIMESTAMPTZ",
}
"""The files' columns."""

_REGISTRATION = "^N[1-9]([0-9]{0,4}|[0-9]{0,3}[A-HJ-NP-Z]|[0-9]{0,2}[A-HJ-NP-Z]{2})$"
_NEW_YORK = "('EWR', 'JFK', 'LGA')"

ERRORS = {
    "airlines": {
        "carrier_not_null": "carrier IS NULL",
        "carrier_pattern": "NOT regexp_matches(carrier, '^[A-Z0-9]{2}$')",
        "name_not_null": "name IS NULL",
        "name_length": "length(name) NOT BETWEEN 3 AND 60",
    },
    "airports": {
        "faa_not_null": "faa IS NULL",
        "faa_pattern": "NOT regexp_matches(faa, '^[A-Z0-9]{3}$')",
        "name_not_null": "name IS NULL",
        "name_length": "length(name) NOT BETWEEN 3 AND 80",
        "lat_not_null": "lat IS NULL",
        "lat_in_range": "lat NOT BETWEEN -90 AND 90",
        "lon_not_null": "lon IS NULL",
        "lon_in_range": "lon NOT BETWEEN -180 AND 180",
        "alt_not_null": "alt IS NULL",
        "alt_in_range": "alt NOT BETWEEN -300 AND 15000",
        "tz_not_null": "tz IS NULL",
        "dst_not_null": "dst IS NULL",
        "location_is_in_the_united_states": "lat < 18 OR lat > 72 OR lon < -180 OR lon > 180 "
        "OR (lon > -64 AND lon < 172)",
        "offset_is_american": "tz < -10 OR tz > -5",
        "dst_is_known_code": "dst <> 'A' AND dst <> 'N' AND dst <> 'U'",
    },
    "planes": {
        "tailnum_not_null": "tailnum IS NULL",
        "tailnum_pattern": f"NOT regexp_matches(tailnum, '{_REGISTRATION}')",
        "year_in_range": "year NOT BETWEEN 1903 AND 2013",
        "type_not_null": "type IS NULL",
        "manufacturer_not_null": "manufacturer IS NULL",
        "manufacturer_length": "length(manufacturer) NOT BETWEEN 1 AND 60",
        "model_not_null": "model IS NULL",
        "model_length": "length(model) NOT BETWEEN 1 AND 40",
        "engines_not_null": "engines IS NULL",
        "engines_in_range": "engines NOT BETWEEN 1 AND 8",
        "seats_not_null": "seats IS NULL",
        "seats_in_range": "seats NOT BETWEEN 1 AND 853",
        "speed_in_range": "speed NOT BETWEEN 30 AND 1500",
        "engine_not_null": "engine IS NULL",
        "engines_fit_the_type": "(type = 'Fixed wing single engine' AND engines <> 1) "
        "OR (type = 'Fixed wing multi engine' AND engines < 2)",
        "type_is_known": "type NOT IN ('Fixed wing multi engine', 'Fixed wing single engine', "
        "'Rotorcraft')",
        "engine_is_known": "engine NOT IN ('4 Cycle', 'Reciprocating', 'Turbo-fan', 'Turbo-jet', "
        "'Turbo-prop', 'Turbo-shaft')",
    },
    "weather": {
        "origin_not_null": "origin IS NULL",
        "year_not_null": "year IS NULL",
        "year_in_range": "year < 2013",
        "month_not_null": "month IS NULL",
        "month_in_range": "month NOT BETWEEN 1 AND 12",
        "day_not_null": "day IS NULL",
        "day_in_range": "day NOT BETWEEN 1 AND 31",
        "hour_not_null": "hour IS NULL",
        "hour_in_range": "hour NOT BETWEEN 0 AND 23",
        "temp_in_range": "temp NOT BETWEEN -60 AND 130",
        "dewp_in_range": "dewp NOT BETWEEN -80 AND 100",
        "humid_in_range": "humid NOT BETWEEN 0 AND 100",
        "wind_dir_in_range": "wind_dir NOT BETWEEN 0 AND 360",
        "wind_speed_in_range": "wind_speed NOT BETWEEN 0 AND 253",
        "wind_gust_in_range": "wind_gust NOT BETWEEN 0 AND 253",
        "precip_not_null": "precip IS NULL",
        "precip_in_range": "precip NOT BETWEEN 0 AND 12",
        "pressure_in_range": "pressure NOT BETWEEN 850 AND 1090",
        "visib_not_null": "visib IS NULL",
        "visib_in_range": "visib NOT BETWEEN 0 AND 10",
        "time_hour_not_null": "time_hour IS NULL",
        "origin_in_airports": "origin NOT IN (SELECT faa FROM good_airports)",
        "dew_point_is_not_above_temperature": "dewp > temp",
        "gusts_exceed_the_wind": "wind_gust <= wind_speed",
        "origin_is_a_new_york_airport": f"origin NOT IN {_NEW_YORK}",
    },
    "flights": {
        "year_not_null": "year IS NULL",
        "year_in_range": "year < 2013",
        "month_not_null": "month IS NULL",
        "month_in_range": "month NOT BETWEEN 1 AND 12",
        "day_not_null": "day IS NULL",
        "day_in_range": "day NOT BETWEEN 1 AND 31",
        "dep_time_in_range": "dep_time NOT BETWEEN 1 AND 2400",
        "sched_dep_time_not_null": "sched_dep_time IS NULL",
        "sched_dep_time_in_range": "sched_dep_time NOT BETWEEN 0 AND 2359",
        "dep_delay_in_range": "dep_delay NOT BETWEEN -120 AND 2880",
        "arr_time_in_range": "arr_time NOT BETWEEN 1 AND 2400",
        "sched_arr_time_not_null": "sched_arr_time IS NULL",
        "sched_arr_time_in_range": "sched_arr_time NOT BETWEEN 0 AND 2359",
        "arr_delay_in_range": "arr_delay NOT BETWEEN -240 AND 2880",
        "carrier_not_null": "carrier IS NULL",
        "carrier_pattern": "NOT regexp_matches(carrier, '^[A-Z0-9]{2}$')",
        "flight_not_null": "flight IS NULL",
        "flight_in_range": "flight NOT BETWEEN 1 AND 9999",
        "tailnum_not_null": "tailnum IS NULL",
        "tailnum_length": "length(tailnum) NOT BETWEEN 2 AND 6",
        "origin_not_null": "origin IS NULL",
        "dest_not_null": "dest IS NULL",
        "dest_pattern": "NOT regexp_matches(dest, '^[A-Z0-9]{3}$')",
        "air_time_in_range": "air_time <= 0 OR air_time > 1200",
        "distance_not_null": "distance IS NULL",
        "distance_in_range": "distance <= 0 OR distance > 12000",
        "hour_not_null": "hour IS NULL",
        "hour_in_range": "hour NOT BETWEEN 0 AND 23",
        "minute_not_null": "minute IS NULL",
        "minute_in_range": "minute NOT BETWEEN 0 AND 59",
        "time_hour_not_null": "time_hour IS NULL",
        "carrier_in_airlines": "carrier NOT IN (SELECT carrier FROM good_airlines)",
        "origin_in_airports": "origin NOT IN (SELECT faa FROM good_airports)",
        "no_arrival_without_departure": "dep_time IS NULL AND arr_time IS NOT NULL",
        "scheduled_time_agrees": "sched_dep_time <> 100 * hour + minute",
        "clock_times_have_sixty_minutes": "dep_time % 100 > 59 OR arr_time % 100 > 59 "
        "OR sched_dep_time % 100 > 59 OR sched_arr_time % 100 > 59",
        "faster_than_sixty_miles_per_hour": "distance <= air_time",
        "origin_is_a_new_york_airport": f"origin NOT IN {_NEW_YORK}",
    },
}
"""Checks that hold a row back."""

WARNINGS = {
    "airlines": {},
    "airports": {"time_zone_is_known": r"tzone IS NULL OR tzone = '\N'"},
    "planes": {"built_since_1980": "year < 1980", "year_is_known": "year IS NULL"},
    "weather": {
        "temperature_is_known": "temp IS NULL",
        "wind_direction_is_mostly_known": "wind_dir IS NULL",
        "pressure_is_mostly_known": "pressure IS NULL",
    },
    "flights": {
        "departure_has_weather": "NOT EXISTS (SELECT 1 FROM good_weather w "
        "WHERE w.origin = t.origin AND w.time_hour = t.time_hour)",
        "tailnum_in_planes": "tailnum IS NOT NULL "
        "AND tailnum NOT IN (SELECT tailnum FROM good_planes)",
        "dest_in_airports": "dest NOT IN (SELECT faa FROM good_airports)",
        "landed_flight_has_a_delay": "arr_time IS NOT NULL AND arr_delay IS NULL",
        "cancelled_share": "dep_time IS NULL",
        "departs_at_most_half_an_hour_early": "dep_delay < -30",
        "tailnum_is_a_us_registration": f"NOT regexp_matches(tailnum, '{_REGISTRATION}')",
    },
}
"""Checks that only count."""

UNIQUE = {
    "airlines": {"primary_key_unique": "carrier", "name_unique": "name"},
    "airports": {"primary_key_unique": "faa"},
    "planes": {"primary_key_unique": "tailnum"},
    "weather": {
        "primary_key_unique": "origin, time_hour",
        "local_hour_occurs_once": "origin, year, month, day, hour",
    },
    "flights": {
        "primary_key_unique": "time_hour, carrier, flight",
        "flight_number_once_a_day": "year, month, day, carrier, flight",
    },
}
"""Keys; every row of a group counts."""

BATCHES = {
    "airlines": {"enough_airlines": "count(*)"},
    "airports": {
        "enough_airports": "count(*)",
        "names_rarely_repeat": "100.0 * (count(name) - count(DISTINCT name)) / count(*)",
    },
    "planes": {"enough_planes": "count(*)"},
    "weather": {
        "most_hours_of_the_year": "count(*)",
        "wind_direction_is_mostly_known": "100.0 * count(*) FILTER (wind_dir IS NULL) / count(*)",
        "pressure_is_mostly_known": "100.0 * count(*) FILTER (pressure IS NULL) / count(*)",
    },
    "flights": {
        "rows_per_month": "count(*)",
        "one_month_per_batch": "count(DISTINCT (year, month))",
        "cancelled_share": "100.0 * count(*) FILTER (dep_time IS NULL) / count(*)",
        "departs_at_most_half_an_hour_early": "count(*) FILTER (dep_delay < -30)",
    },
}
"""The metric of each gate, for one file."""
