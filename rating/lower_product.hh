// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Products as they were written to the records of an image. Comes after the plans: a product is for
// plans, and its allowances are paid with by their rules.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "rating/build.hh"
#include "rating/lower_world.hh"
#include "rating/syntax.hh"

namespace tollgate::rating {

// By the name of a plan: the units that its rules pay with.
using PayingUnits = std::map<std::string, std::vector<Unit>, std::less<>>;

void lower_products(const TariffSyntax& syntax, const PayingUnits& paying, World& world,
                    ImageBuilder& builder, Report& report);

}  // namespace tollgate::rating
