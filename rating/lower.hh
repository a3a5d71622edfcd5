// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// lower: syntax to the records of an image. Here is checked all that needs more than one statement:
// units that fit together, prices that can be calculated, rules that can be reached.
#pragma once

#include "rating/build.hh"
#include "rating/lower_python.hh"
#include "rating/syntax.hh"

namespace tollgate::rating {

// Mistakes go to `report`; what is in `builder` counts only if there are none. Returned are the
// rules with functions, to be tried out when the image is there.
std::vector<FunctionUse> lower(const TariffSyntax& syntax, std::span<const TariffText> texts,
                               ImageBuilder& builder, Report& report);

}  // namespace tollgate::rating
