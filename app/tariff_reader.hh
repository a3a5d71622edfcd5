// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// TariffReader: the tariff image that is current, looked for once a turn.
#pragma once

#include "base/versioned_blob.hh"
#include "rating/image.hh"
#include "rating/normalise_image.hh"

namespace tollgate::app {

class TariffReader {
 public:
  explicit TariffReader(const VersionedBlob& published) : published_(published) { refresh(); }

  // Goes over to a version that was published since; true if there was one. Cheap if not.
  bool refresh() {
    const u32 version = published_.current_version();
    if (version == version_) return false;
    const Bytes bytes = published_.read(version);
    if (bytes.empty()) return false;  // overtaken by further versions: the next turn finds it
    image_ = rating::Image(rating::tariff_part(bytes));
    rules_ = rating::normalise_part(bytes);
    version_ = version;
    return true;
  }

  const rating::Image& image() const { return image_; }
  // An earlier version that is still there, by its tag; not loaded: there is none. The last two
  // are: the slot after them is the next to be written.
  rating::Image find(u32 tag) const {
    constexpr u32 kept_max = VersionedBlob::slot_count - 2;
    for (u32 age = 1; age <= kept_max && age < version_; ++age) {
      const Bytes bytes = published_.read(version_ - age);
      if (bytes.empty()) continue;
      const rating::Image image(rating::tariff_part(bytes));
      if (image.tag() == tag) return image;
    }
    return {};
  }
  // The normalising rules that were published with it; empty if there are none.
  Bytes rules() const { return rules_; }
  bool is_loaded() const { return image_.is_loaded(); }

 private:
  const VersionedBlob& published_;
  rating::Image image_;
  Bytes rules_;
  u32 version_ = 0;
};

}  // namespace tollgate::app
