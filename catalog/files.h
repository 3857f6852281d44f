/* SPDX-License-Identifier: MIT */
/* Configuration files and profiles on the disk. */

#pragma once
#include "catalog/yaml.h"

extern const weir_yaml_files weir_yaml_disk;
