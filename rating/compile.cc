// SPDX-License-Identifier: Apache-2.0
// Copyright the Tollgate authors

#include "rating/compile.hh"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "rating/examples.hh"
#include "rating/lower.hh"
#include "rating/parser.hh"

namespace tollgate::rating {
namespace {

constexpr std::size_t file_size_max = 64_MiB;

void add_file(const std::filesystem::path& path, std::vector<TariffText>& texts,
              std::vector<Diagnostic>& diagnostics) {
  std::ifstream in(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  if (!in.is_open() || in.bad()) {
    diagnostics.push_back(
        {path.string(), 0, 0, "cannot be read", "does it exist, may we read it?"});
    return;
  }
  texts.push_back({path.string(), std::move(text)});
}

void add_folder(const std::string& path, std::vector<TariffText>& texts,
                std::vector<Diagnostic>& diagnostics) {
  std::vector<std::filesystem::path> files;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const std::string extension = entry.path().extension();
    if (extension == ".tariff" || extension == ".prefixes" || extension == ".py") {
      files.push_back(entry.path());
    }
  }
  if (error) {
    diagnostics.push_back({path, 0, 0, "cannot be listed: " + error.message(), ""});
    return;
  }
  if (std::ranges::none_of(files, [](const auto& file) { return file.extension() != ".py"; })) {
    diagnostics.push_back(
        {path, 0, 0, "holds no tariff", "the names of tariff files end with .tariff"});
  }
  std::ranges::sort(files);
  for (const std::filesystem::path& file : files) add_file(file, texts, diagnostics);
}

}  // namespace

std::string to_text(const Diagnostic& diagnostic) {
  std::string text = diagnostic.file;
  if (diagnostic.line != 0) text += fmt::format(":{}:{}", diagnostic.line, diagnostic.column);
  text += ": " + diagnostic.message;
  if (!diagnostic.hint.empty()) text += fmt::format(" (hint: {})", diagnostic.hint);
  return text;
}

Compiled compile(std::span<const TariffText> texts) {
  Compiled result;
  Report report(texts);
  TariffSyntax syntax;
  for (u32 file = 0; file < texts.size(); ++file) {
    if (texts[file].text.size() > file_size_max) {
      report.add({file, 0, 0}, "is larger than 64 MiB");
      continue;
    }
    if (texts[file].name.ends_with(".py")) continue;  // rules name what they need of it
    if (is_prefix_file(texts[file].name)) {
      parse_prefixes(texts[file], file, syntax, report);
      continue;
    }
    const std::vector<Token> tokens = lex(texts[file].text, file, report);
    Parser(tokens, syntax, report).parse_file();
  }
  ImageBuilder builder;
  const std::vector<FunctionUse> uses = lower(syntax, texts, builder, report);
  if (syntax.plans.empty() && report.is_empty()) {
    result.diagnostics.push_back({texts.empty() ? "" : texts[0].name, 0, 0, "holds no plan",
                                  "for example: plan prepaid { currency EUR ... }"});
    return result;
  }
  if (report.is_empty()) {
    result.image = builder.finish();
    if (result.image.empty()) report.add({}, "makes a tariff image of more than 1 GiB");
  }
  if (report.is_empty()) try_functions(Image(result.image), uses, report);
  if (report.is_empty()) verify_examples(syntax, Image(result.image), report);
  if (!report.is_empty()) {
    result.diagnostics = report.take();
    result.image.clear();
    return result;
  }
  result.plan_count = static_cast<u32>(syntax.plans.size());
  result.rule_count = builder.rule_count();
  result.example_count = static_cast<u32>(syntax.examples.size());
  return result;
}

Compiled compile_path(const std::string& path) {
  Compiled result;
  std::vector<TariffText> texts;
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) {
    add_folder(path, texts, result.diagnostics);
  } else {
    add_file(path, texts, result.diagnostics);
  }
  return result.is_good() ? compile(texts) : result;
}

}  // namespace tollgate::rating
