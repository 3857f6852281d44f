/* SPDX-License-Identifier: MIT */
/* The CRC-16 that ends every Modbus RTU frame. */

#pragma once
#include <stddef.h>
#include <stdint.h>

/* MODBUS over serial line 1.02, 6.2.2. On the wire its low byte goes first, so the CRC over a whole
 * right frame, CRC included, is 0. */
uint16_t weir_crc16(const uint8_t *bytes, size_t n);
