-- Requests for two meters that `weir simulate eastron-sdm630 --units 1-2 --listen tcp://127.0.0.1:1502` shows:
-- sqlite3 Logging.db < requests.sql
INSERT INTO RequestedData (paramID, required, host, port, period, address, function, register, count, comment) VALUES
    (1, 1, '127.0.0.1', 1502,  2, 1, 4,  0,  6, 'unit 1: voltages of three phases, two registers each'),
    (2, 1, '127.0.0.1', 1502, 10, 1, 4, 52,  2, 'unit 1: power'),
    (3, 1, '127.0.0.1', 1502,  2, 2, 4,  0,  6, 'unit 2: voltages of three phases'),
    -- Not required, because these meters have none of them.
    (4, 0, '127.0.0.1', 1502,  2, 1, 3, 10,  3, 'holding registers'),
    (5, 0, '127.0.0.1', 1502,  2, 1, 1,  0, 12, 'coils: a word each in rawresult'),
    (6, 0, '127.0.0.1', 1502,  2, 1, 2,  5,  9, 'discrete inputs');
