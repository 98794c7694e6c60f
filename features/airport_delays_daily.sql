-- One row per airport of departure and local day. Cancelled flights have no delay: they count in
-- `flights` and are left out of the means.
WITH carriers AS (
    SELECT origin, year, month, day, carrier, count(*) AS flights
    FROM flights
    GROUP BY origin, year, month, day, carrier
),
busiest AS (
    -- Of two that are equally busy, the first by its code.
    SELECT origin, year, month, day, carrier
    FROM carriers
    QUALIFY row_number() OVER (
        PARTITION BY origin, year, month, day ORDER BY flights DESC, carrier
    ) = 1
),
days AS (
    SELECT
        origin,
        year,
        month,
        day,
        count(*) AS flights,
        count(dep_time) AS departed,
        count(DISTINCT dest) AS destinations,
        avg(dep_delay) AS mean_dep_delay,
        quantile_cont(dep_delay, 0.9) AS p90_dep_delay,
        -- 15 minutes is the limit of the US Department of Transportation for "on time".
        avg(CASE WHEN dep_delay >= 15 THEN 1 WHEN dep_delay < 15 THEN 0 END) AS late_share
    FROM flights
    GROUP BY origin, year, month, day
)
SELECT
    days.origin,
    -- The local date as midnight UTC, as in carrier_delays_daily.sql.
    make_timestamptz(days.year, days.month, days.day, 0, 0, 0, 'UTC') AS event_timestamp,
    CAST(days.flights AS INTEGER) AS flights,
    CAST(days.departed AS INTEGER) AS departed,
    CAST(days.destinations AS INTEGER) AS destinations,
    CAST(days.mean_dep_delay AS DOUBLE) AS mean_dep_delay,
    CAST(days.p90_dep_delay AS DOUBLE) AS p90_dep_delay,
    CAST(days.late_share AS DOUBLE) AS late_share,
    CAST((days.flights - days.departed) / days.flights AS DOUBLE) AS cancelled_share,
    busiest.carrier AS busiest_carrier
FROM days
JOIN busiest
    ON busiest.origin = days.origin
    AND busiest.year = days.year
    AND busiest.month = days.month
    AND busiest.day = days.day
ORDER BY event_timestamp, days.origin
