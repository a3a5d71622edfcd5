// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

// Tariffs: the tariff that is in force, compiled from files and published to the charge tiles.
//
// Loading is all or nothing: files with a mistake change nothing. What was loaded last by an
// operator is loaded again at the next start, until the configuration names other files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/versioned_blob.hh"
#include "control/json.hh"
#include "ledger/command.hh"
#include "rating/compile.hh"
#include "rating/image.hh"
#include "rating/normalise_compile.hh"

namespace tollgate::control {

// FILE itself, or what belongs to a tariff in FOLDER, by name: *.tariff, *.prefixes, *.normalise
// and
// *.py.
std::vector<std::string> tariff_files(const std::string& path);

// Reads all files and folders; what cannot be read goes to `unreadable`.
std::vector<rating::TariffText> read_tariff(const std::vector<std::string>& paths,
                                            std::vector<rating::Diagnostic>& unreadable);

// Compiles what the files of one tariff say: tariffs (*.tariff), normalising rules
// (*.normalise) and the Python files (*.py) that they name. The image is what is published: the
// tariff's, and behind it that of the rules (rating/normalise_image.hh). Rules need the names of
// AVPs.
rating::Compiled compile_texts(const std::vector<rating::TariffText>& texts,
                               const rating::AvpNames* names);

// read_tariff and compile_texts.
rating::Compiled compile_paths(const std::vector<std::string>& paths,
                               const rating::AvpNames* names);

// [{"file","line","column","message","hint"}]
Json describe_mistakes(const std::vector<rating::Diagnostic>& diagnostics);

// What an account of this plan is given at `now`. False if they are more than a command carries.
[[nodiscard]] bool initial_buckets(const rating::Image& image, const rating::Plan& plan,
                                   Instant now, std::vector<ledger::NewBucket>& buckets);

// What the plan gives on top of a top-up: added to the command, which has it in its first bucket.
void add_bonuses(const rating::Image& image, const rating::Plan& plan, Instant now,
                 ledger::Command& command);

// "32251@3gpp.org" of a context key: a service context of 3GPP, else the name that the tariff gives
// it, else its number in hexadecimal digits.
std::string context_text(const rating::Image& image, u64 context);

class Tariffs {
 public:
  // For normalising rules; outlives this. Without it there can be none.
  void set_avp_names(const rating::AvpNames* names) { names_ = names; }

  // Compiles the files and publishes them. Returns what is wrong, if anything: then the one before
  // stays in force.
  [[nodiscard]] rating::Compiled load(const std::vector<std::string>& paths, VersionedBlob& blob);

  // The same with what the files said.
  [[nodiscard]] rating::Compiled load_texts(const std::vector<rating::TariffText>& texts,
                                            VersionedBlob& blob);

  // For tariffs that are compiled and not published.
  const rating::AvpNames* avp_names() const { return names_; }

  // When a tariff that waits comes into force; never: none waits. See tariff_versions.hh.
  Instant activation() const { return activation_; }
  void set_activation(Instant at) { activation_ = at; }

  // Takes over what is published already: after a restart of control, when its files are broken.
  [[nodiscard]] bool adopt(const VersionedBlob& blob);

  const rating::Image& image() const { return image_; }
  const rating::Plan* find_plan(std::string_view name) const;
  std::string plan_name(u32 id) const;     // its number if the tariff does not have it
  std::string product_name(u32 id) const;  // likewise
  std::string zone_name(u32 id) const;     // by zone_id; empty: not known
  Json describe() const;                   // {"version","plans":[...]}

 private:
  void take(std::vector<u8> bytes);

  std::vector<u64> bytes_;  // words: the image lies at a multiple of eight
  rating::Image image_;
  const rating::AvpNames* names_ = nullptr;
  Instant activation_ = Instant::never();
  mutable std::map<u32, std::string> zone_names_;
  mutable u64 zones_of_version_ = 0;
};

}  // namespace tollgate::control
