// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "app/avp_names.hh"

#include <vector>

#include "diameter/dictionary.hh"
#include "rating/parser.hh"

namespace tollgate::app {
namespace {

rating::FieldForm form_of(diameter::AvpType type) {
  switch (type) {
    case diameter::AvpType::enumerated:
    case diameter::AvpType::integer32:
    case diameter::AvpType::unsigned32:
    case diameter::AvpType::integer64:
    case diameter::AvpType::unsigned64:
    case diameter::AvpType::time:
      return rating::FieldForm::number;
    case diameter::AvpType::address:
      return rating::FieldForm::address;
    default:
      return rating::FieldForm::text;
  }
}

}  // namespace

bool DictionaryNames::find(std::string_view name, rating::AvpPlace place,
                           rating::AvpName& found) const {
  bool is_found = false;
  for (const diameter::AvpInfo& info : diameter::all_avps()) {
    if (info.name != name) continue;
    const bool is_group = info.id.type == diameter::AvpType::grouped;
    const bool fits = is_group == (place == rating::AvpPlace::group);
    if (!is_found || fits) found = {{info.id.code, info.id.vendor}, form_of(info.id.type)};
    if (fits) return true;
    is_found = true;
  }
  return is_found;
}

std::string DictionaryNames::nearest(std::string_view name) const {
  std::vector<std::string_view> names;
  for (const diameter::AvpInfo& info : diameter::all_avps()) names.push_back(info.name);
  const std::string text = rating::nearest(name, names);
  const std::size_t begin = text.find('\'');
  const std::size_t end = text.rfind('\'');
  return begin == end ? std::string{} : text.substr(begin + 1, end - begin - 1);
}

}  // namespace tollgate::app
