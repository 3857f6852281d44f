/* SPDX-License-Identifier: MIT */
/* Checksums: CRC32C for what we store. (The CRC-16 of Modbus lives in modbus/.) */

#pragma once
#include <stddef.h>
#include <stdint.h>

/* CRC-32C (Castagnoli), RFC 3720 B.4. Start with crc = 0; chain by passing the last result. */
uint32_t weir_crc32c(uint32_t crc, const void *bytes, size_t n);
