// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// TariffReader: the tariff image that is current, looked for once a turn.
#pragma once

#include "base/versioned_blob.hh"
#include "rating/image.hh"

namespace tollgate::app {

class TariffReader {
 public:
  explicit TariffReader(const VersionedBlob& published) : published_(published) { refresh(); }

  // Goes over to a version that was published since. Cheap if there is none.
  void refresh() {
    const u32 version = published_.current_version();
    if (version == version_) return;
    const Bytes bytes = published_.read(version);
    if (bytes.empty()) return;  // overtaken by further versions: the next turn finds the newest
    image_ = rating::Image(bytes);
    version_ = version;
  }

  const rating::Image& image() const { return image_; }
  bool is_loaded() const { return image_.is_loaded(); }

 private:
  const VersionedBlob& published_;
  rating::Image image_;
  u32 version_ = 0;
};

}  // namespace tollgate::app
