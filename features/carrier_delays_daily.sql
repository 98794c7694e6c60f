-- One row per carrier and local day of scheduled departure. Cancelled and diverted flights have no
-- delays: they count in `flights` and are left out of the means.
SELECT
    carrier,
    -- The local date as midnight UTC: a label of the day, so that days are 24 hours apart and
    -- show the date of the timetable. Its values are complete only when the day is over: a model
    -- that decides during a day must ask for the features of the day before.
    make_timestamptz(year, month, day, 0, 0, 0, 'UTC') AS event_timestamp,
    CAST(count(*) AS INTEGER) AS flights,
    CAST(count(dep_time) AS INTEGER) AS departed,
    CAST(count(arr_delay) AS INTEGER) AS arrived,
    CAST(avg(dep_delay) AS DOUBLE) AS mean_dep_delay,
    CAST(quantile_cont(dep_delay, 0.9) AS DOUBLE) AS p90_dep_delay,
    CAST(avg(arr_delay) AS DOUBLE) AS mean_arr_delay,
    -- 15 minutes is the limit of the US Department of Transportation for "on time".
    CAST(avg(CASE WHEN arr_delay < 15 THEN 1 WHEN arr_delay >= 15 THEN 0 END) AS DOUBLE)
        AS on_time_share,
    CAST((count(*) - count(dep_time)) / count(*) AS DOUBLE) AS cancelled_share,
    CAST(avg(distance) AS DOUBLE) AS mean_distance
FROM flights
GROUP BY carrier, year, month, day
ORDER BY event_timestamp, carrier
