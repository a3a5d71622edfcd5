// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Calculates the examples of tariff files with the image that was made of them.
#pragma once

#include "rating/image.hh"
#include "rating/syntax.hh"

namespace tollgate::rating {

// Every example that does not come out goes to `report`.
void verify_examples(const TariffSyntax& syntax, const Image& image, Report& report);

}  // namespace tollgate::rating
