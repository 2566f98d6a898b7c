// SPDX-License-Identifier: Apache-2.0
#include "node/qemu/image_chain.hpp"

#include <cerrno>
#include <filesystem>
#include <sys/stat.h>

#include "node/storage/qcow2_file.hpp"

namespace forkfleet::qemu {

namespace {

status check_regular(const std::string& path) {
  struct ::stat about = {};
  if (::stat(path.c_str(), &about) != 0)
    return tl::unexpected(errno_failure(errno, path, ec::invalid_request));
  if (!S_ISREG(about.st_mode))
    return fail(ec::invalid_request,
                path
                  + ": not a regular file; a disk needs one, so that it is "
                    "seen when it changes");
  return {};
}

/// A name out of an image's header, as a path. What QEMU would take for a
/// protocol or for JSON is none.
expected<std::string> path_beside(const std::string& image,
                                  const std::string& name) {
  const auto colon = name.find(':');
  const bool is_plain =
    !name.empty() && name.find('\0') == std::string::npos
    && (colon == std::string::npos || name.find('/') < colon);
  if (!is_plain)
    return fail(ec::invalid_request,
                image + ": lies over something that is no plain file");
  return (std::filesystem::path{image}.parent_path() / name)
    .lexically_normal()
    .string();
}

expected<qcow2_header> header_of(const std::string& path) {
  // The file itself, by whichever links it is reached.
  auto error = std::error_code{};
  const auto real = std::filesystem::canonical(path, error);
  if (error)
    return fail(ec::invalid_request, path + ": " + error.message());
  return read_header_of(real.string());
}

} // namespace

expected<std::vector<image_file>>
image_chain(const config::disk_section& disk) {
  std::vector<image_file> result;
  auto path = disk.path;
  auto format = disk.format;
  for (;;) {
    if (auto good = check_regular(path); !good)
      return tl::unexpected(good.error());
    if (format != "raw" && format != "qcow2")
      return fail(ec::invalid_request,
                  path
                    + ": nothing tells that it is raw or qcow2; see: "
                      "qemu-img rebase -u -F");
    result.push_back({.path = path, .format = format});
    if (format == "raw")
      return result;
    const auto header = header_of(path);
    if (!header)
      return tl::unexpected(header.error());
    if (!header->data_file.empty()) {
      const auto data = path_beside(path, header->data_file);
      if (!data)
        return tl::unexpected(data.error());
      if (auto good = check_regular(*data); !good)
        return tl::unexpected(good.error());
      result.back().data = *data;
    }
    if (header->backing.empty())
      return result;
    if (result.size() == image_chain_max)
      return fail(ec::invalid_request, disk.path + ": lies over more than "
                                         + std::to_string(image_chain_max)
                                         + " images");
    const auto under = path_beside(path, header->backing);
    if (!under)
      return tl::unexpected(under.error());
    path = *under;
    format = header->backing_format;
  }
}

std::vector<std::string> files_of(const std::vector<image_file>& chain) {
  std::vector<std::string> result;
  for (const auto& x : chain) {
    result.push_back(x.path);
    if (!x.data.empty())
      result.push_back(x.data);
  }
  return result;
}

} // namespace forkfleet::qemu
