// SPDX-License-Identifier: Apache-2.0
#include "tests/support/doctored_archive.hpp"

#include <algorithm>
#include <span>

#include <catch2/catch.hpp>

#include "node/storage/archive_reader.hpp"
#include "node/storage/archive_writer.hpp"

namespace forkfleet::test {

namespace {

constexpr uint64_t part_bytes_max = 512u << 20;

std::span<const uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

std::vector<std::string> extents_of(std::string_view memory) {
  std::vector<std::string> result;
  for (std::size_t at = 0; at < memory.size(); at += hash_extent_bytes)
    result.push_back(
      to_hex(*hash_bytes(bytes_of(memory.substr(at, hash_extent_bytes)))));
  return result;
}

} // namespace

std::string& archive_parts::file(const std::string& name) {
  const auto found =
    std::ranges::find(files, name, [](const auto& x) { return x.first; });
  REQUIRE(found != files.end());
  return found->second;
}

void archive_parts::flip(const std::string& name, std::size_t at) {
  auto& byte = file(name).at(at);
  byte = static_cast<char>(byte ^ 1);
}

archive_parts unpack_archive(const std::string& path) {
  const auto archive = archive_reader::open(path);
  REQUIRE(archive);
  auto& reader = **archive;
  REQUIRE(reader.next(manifest_file, manifest_bytes_max));
  auto manifest = manifest_from_text(*reader.read_text(), path);
  REQUIRE(manifest);
  archive_parts result{.manifest = std::move(*manifest)};
  auto names = std::vector<std::string>{vmstate_file, memory_file};
  for (const auto& disk : result.manifest.disks)
    for (std::size_t i = 0; i < disk.layers.size(); ++i)
      names.push_back(disk.name + "-" + std::to_string(i) + ".qcow2");
  for (const auto& name : names) {
    REQUIRE(reader.next(name, part_bytes_max));
    auto text = reader.read_text();
    REQUIRE(text);
    result.files.emplace_back(name, std::move(*text));
  }
  return result;
}

void pack_archive(const std::string& path, archive_parts parts) {
  auto& x = parts.manifest;
  for (const auto& [name, text] : parts.files) {
    if (name == memory_file)
      x.extents = extents_of(text);
    if (name == vmstate_file)
      x.vmstate_hash = to_hex(*hash_bytes(bytes_of(text)));
    for (auto& disk : x.disks)
      for (std::size_t i = 0; i < disk.layers.size(); ++i)
        if (name == disk.name + "-" + std::to_string(i) + ".qcow2")
          disk.layers[i] = {text.size(), to_hex(*hash_bytes(bytes_of(text)))};
  }
  const auto root = root_hash_of(x);
  REQUIRE(root);
  x.root_hash = *root;
  const auto archive = archive_writer::make(path);
  REQUIRE(archive);
  REQUIRE((*archive)->put(manifest_file, 0, *manifest_text(x)));
  for (const auto& [name, text] : parts.files)
    REQUIRE((*archive)->put(name, 0, text));
  REQUIRE((*archive)->end());
}

void doctor_archive(const std::string& from, const std::string& to,
                    const std::function<void(archive_parts&)>& change) {
  auto parts = unpack_archive(from);
  change(parts);
  pack_archive(to, std::move(parts));
}

} // namespace forkfleet::test
