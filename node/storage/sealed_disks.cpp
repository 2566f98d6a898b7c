// SPDX-License-Identifier: Apache-2.0
#include "node/storage/sealed_disks.hpp"

#include <algorithm>
#include <cerrno>
#include <fcntl.h>
#include <sys/stat.h>

#include "actors/disk_calls.hpp"
#include "node/storage/file.hpp"
#include "node/storage/manifest_limits.hpp"

namespace forkfleet {

namespace {

constexpr std::size_t known_layers_max = 4096;
constexpr std::size_t layer_piece_bytes = 1u << 20;

expected<layer_stamp> layer_stamp_of(const std::string& path) {
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0)
    return tl::unexpected(errno_failure(errno, path));
  if (!S_ISREG(info.st_mode))
    return fail(ec::io_failed, path + " is no file");
  return layer_stamp{info.st_dev, info.st_ino,
                     static_cast<uint64_t>(info.st_size), info.st_mtim.tv_sec,
                     info.st_mtim.tv_nsec};
}

std::vector<std::string> layers_in(const std::string& directory) {
  std::vector<std::string> result;
  for (const auto& name :
       list_directory(directory).value_or(std::vector<std::string>{}))
    if (name.starts_with("disk") && name.ends_with(".qcow2"))
      result.push_back(directory + "/" + name);
  return result;
}

status copy_layer_bytes(int from, int to, const std::string& source,
                        const std::string& target) {
  const auto bytes = file_size(from, source);
  if (!bytes)
    return tl::unexpected<failure>(bytes.error());
  std::vector<uint8_t> piece(layer_piece_bytes);
  for (uint64_t at = 0; at < *bytes; at += piece.size()) {
    piece.resize(std::min<uint64_t>(layer_piece_bytes, *bytes - at));
    auto done = read_at(from, piece, at, source);
    if (done)
      done = write_at(to, piece, at, target);
    if (!done)
      return done;
  }
  return sync_data(to, target);
}

status copy_layer(const std::string& from, const std::string& to) {
  const auto source = open_file(from, O_RDONLY);
  if (!source)
    return tl::unexpected<failure>(source.error());
  const auto target = open_file(to, O_RDWR | O_CREAT | O_EXCL);
  if (!target)
    return tl::unexpected<failure>(target.error());
  if (clone_file(target->get(), source->get(), to))
    return sync_data(target->get(), to);
  return copy_layer_bytes(source->get(), target->get(), from, to);
}

expected<sealed_layer> seal_layer(const std::string& from,
                                  const std::string& to, layer_hashes* known) {
  const auto fd = open_file(from, O_RDONLY);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  auto done = sync_all(fd->get(), from);
  if (done)
    done = share_layer(from, to);
  if (!done)
    return tl::unexpected<failure>(done.error());
  const auto stamp = layer_stamp_of(to);
  if (!stamp)
    return tl::unexpected<failure>(stamp.error());
  if (known != nullptr)
    if (const auto found = known->find(*stamp))
      return *found;
  auto layer = hash_layer(to);
  if (layer && known != nullptr)
    known->add(*stamp, *layer);
  return layer;
}

} // namespace

std::optional<sealed_layer> layer_hashes::find(const layer_stamp& stamp) const {
  const std::lock_guard lock{mutex_};
  const auto found = known_.find(stamp);
  return found == known_.end() ? std::nullopt : std::optional{found->second};
}

void layer_hashes::add(const layer_stamp& stamp, const sealed_layer& layer) {
  const std::lock_guard lock{mutex_};
  if (known_.size() >= known_layers_max)
    known_.clear();
  known_.insert_or_assign(stamp, layer);
}

std::string layer_path(const std::string& directory, const std::string& disk,
                       std::size_t index) {
  return directory + "/" + disk + "-" + std::to_string(index) + ".qcow2";
}

status share_layer(const std::string& from, const std::string& to) {
  if (disk::link(from.c_str(), to.c_str()) == 0)
    return {};
  if (errno == EXDEV || errno == EPERM || errno == EMLINK
      || errno == EOPNOTSUPP)
    return copy_layer(from, to);
  return tl::unexpected(errno_failure(errno, "link " + from + " to " + to));
}

expected<sealed_layer> hash_layer(const std::string& path,
                                  const stop_asked& stop) {
  const auto fd = open_file(path, O_RDONLY);
  if (!fd)
    return tl::unexpected<failure>(fd.error());
  const auto bytes = file_size(fd->get(), path);
  if (!bytes)
    return tl::unexpected<failure>(bytes.error());
  const auto hash =
    hash_file({.fd = fd->get(), .path = path, .bytes = *bytes, .stop = stop});
  if (!hash)
    return tl::unexpected<failure>(hash.error());
  return sealed_layer{*bytes, to_hex(*hash)};
}

expected<std::vector<sealed_disk>>
seal_disks(const std::vector<frozen_disk>& disks, const std::string& directory,
           layer_hashes* known) {
  std::vector<sealed_disk> result;
  for (const auto& disk : disks) {
    if (disk.layers.size() > sealed_layers_max)
      return fail(ec::unsupported,
                  disk.name + " has " + std::to_string(disk.layers.size())
                    + " layers, at most " + std::to_string(sealed_layers_max)
                    + " can be sealed");
    sealed_disk sealed{.name = disk.name, .bytes = disk.bytes};
    for (const auto& layer : disk.layers) {
      auto one = seal_layer(
        layer, layer_path(directory, disk.name, sealed.layers.size()), known);
      if (!one)
        return tl::unexpected<failure>(one.error());
      sealed.layers.push_back(std::move(*one));
    }
    result.push_back(std::move(sealed));
  }
  return result;
}

std::vector<frozen_disk> frozen_disks(const std::string& directory,
                                      const std::vector<sealed_disk>& disks) {
  std::vector<frozen_disk> result;
  for (const auto& disk : disks) {
    frozen_disk frozen{.name = disk.name, .bytes = disk.bytes};
    for (std::size_t i = 0; i < disk.layers.size(); ++i)
      frozen.layers.push_back(layer_path(directory, disk.name, i));
    result.push_back(std::move(frozen));
  }
  return result;
}

std::vector<snapshot_disk>
describe_disks(const std::string& directory,
               const std::vector<sealed_disk>& disks) {
  std::vector<snapshot_disk> result;
  for (const auto& disk : disks) {
    snapshot_disk one{
      .name = disk.name, .bytes = disk.bytes, .layers = disk.layers.size()};
    for (std::size_t i = 0; i < disk.layers.size(); ++i)
      one.stored_bytes += stored_bytes(layer_path(directory, disk.name, i));
    result.push_back(std::move(one));
  }
  return result;
}

uint64_t layers_stored_in(const std::string& directory) {
  uint64_t sum = 0;
  for (const auto& path : layers_in(directory))
    sum += stored_bytes(path);
  return sum;
}

uint64_t layers_unique_in(const std::string& directory) {
  uint64_t sum = 0;
  for (const auto& path : layers_in(directory)) {
    struct stat info {};
    if (::lstat(path.c_str(), &info) == 0 && info.st_nlink == 1)
      sum += unshared_bytes(path);
  }
  return sum;
}

} // namespace forkfleet
