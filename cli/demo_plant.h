/* SPDX-License-Identifier: MIT */
/* The demo's plant, made from demo_plant.yaml by the build. */

#pragma once

extern const char weir_demo_plant[];
