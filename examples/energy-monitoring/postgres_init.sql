-- The tables that energy-monitoring is configured by, with the virtual server as the first meter.

CREATE TABLE IF NOT EXISTS energy_meters (
  id            int PRIMARY KEY,
  host          varchar(64) NOT NULL,
  port          int NOT NULL,
  slave_address int NOT NULL,
  type          varchar(32) NOT NULL,   -- whose registers it has
  description   varchar(64)             -- a tag in InfluxDB
);

CREATE TABLE IF NOT EXISTS registers (
  type             varchar(32) NOT NULL,
  register_address int NOT NULL,        -- as on the wire, from 0
  measurement_name varchar(64) NOT NULL,
  data_unit        varchar(8),
  data_type        int NOT NULL CHECK (data_type BETWEEN 1 AND 3),      -- 1 INT, 2 LONG, 3 FLOAT
  function_code    int NOT NULL CHECK (function_code BETWEEN 3 AND 4),  -- 3 holding, 4 input registers
  word_order       int CHECK (word_order BETWEEN 1 AND 2),              -- 1 little, 2 big endian
  byte_order       int NOT NULL CHECK (byte_order BETWEEN 1 AND 2),
  UNIQUE (type, measurement_name)
);

INSERT INTO registers VALUES ('virtual_modbustcp_server', 0, 'test_measurement', 't-unit', 3, 4, 2, 2);
INSERT INTO energy_meters VALUES (0, 'virtual_modbustcp_server', 502, 0, 'virtual_modbustcp_server', 'test_energy_meter');
