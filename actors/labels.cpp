// SPDX-License-Identifier: Apache-2.0
#include "actors/labels.hpp"

#include <algorithm>

namespace forkfleet {

namespace {

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
         || (c >= '0' && c <= '9');
}

bool is_label_text(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '_' || c == '.' || c == '/';
  });
}

/// What is wrong, with as much of the text as a message can bear.
tl::unexpected<failure> wrong(std::string_view text, const std::string& rule) {
  std::string shown;
  for (const char c : text.substr(0, label_value_length_max))
    shown += c >= ' ' && c <= '~' ? c : '?';
  return fail(ec::invalid_request, "'" + shown + "' " + rule);
}

auto find_key(std::vector<std::string>& labels, std::string_view key) {
  return std::ranges::find_if(
    labels, [key](const auto& x) { return label_key(x) == key; });
}

} // namespace

std::string_view label_key(std::string_view label) {
  return label.substr(0, label.find('='));
}

status check_label_key(std::string_view key) {
  if (key.empty() || key.size() > label_key_length_max
      || !is_alphanumeric(key.front()) || !is_label_text(key))
    return wrong(key, "is no label key: use 1 to "
                        + std::to_string(label_key_length_max)
                        + " letters, digits, '-', '_', '.' and '/', a letter "
                          "or digit first");
  return {};
}

status check_label(std::string_view label) {
  const auto key = label_key(label);
  if (auto good = check_label_key(key); !good)
    return good;
  if (key.size() == label.size())
    return wrong(label, "is no label: write KEY=VALUE");
  const auto value = label.substr(key.size() + 1);
  if (value.size() > label_value_length_max || !is_label_text(value))
    return wrong(value, "is no value of label " + std::string{key}
                          + ": use at most "
                          + std::to_string(label_value_length_max)
                          + " letters, digits, '-', '_', '.' and '/'");
  return {};
}

status check_note(std::string_view note) {
  if (note.size() > note_length_max)
    return fail(ec::invalid_request,
                "the note has " + std::to_string(note.size())
                  + " bytes; give at most " + std::to_string(note_length_max));
  if (std::ranges::any_of(note, [](char c) {
        return static_cast<unsigned char>(c) < ' ' || c == 127;
      }))
    return fail(ec::invalid_request,
                "the note is more than one line of text; give it without "
                "control characters");
  return {};
}

status check_change(const label_change& change) {
  const auto too_many = [](std::size_t count) {
    return fail(ec::invalid_request, std::to_string(count)
                                       + " labels at once; give at most "
                                       + std::to_string(labels_max));
  };
  if (change.labels.size() > labels_max)
    return too_many(change.labels.size());
  if (change.dropped.size() > labels_max)
    return too_many(change.dropped.size());
  for (const auto& label : change.labels)
    if (auto good = check_label(label); !good)
      return good;
  for (const auto& key : change.dropped)
    if (auto good = check_label_key(key); !good)
      return good;
  return check_note(change.note);
}

expected<annotation> changed(annotation words, const label_change& change) {
  if (auto good = check_change(change); !good)
    return tl::unexpected<failure>(good.error());
  auto& labels = words.labels;
  for (const auto& key : change.dropped)
    if (const auto found = find_key(labels, key); found != labels.end())
      labels.erase(found);
  for (const auto& label : change.labels) {
    const auto found = find_key(labels, label_key(label));
    if (found != labels.end())
      *found = label;
    else
      labels.push_back(label);
  }
  if (labels.size() > labels_max)
    return fail(ec::invalid_request,
                "there would be " + std::to_string(labels.size())
                  + " labels, at most " + std::to_string(labels_max)
                  + " may be; drop some");
  std::ranges::sort(labels, {}, [](const auto& x) { return label_key(x); });
  if (change.has_note)
    words.note = change.note;
  return words;
}

bool has_labels(const std::vector<std::string>& labels,
                const std::vector<std::string>& wanted) {
  return std::ranges::all_of(wanted, [&labels](const auto& x) {
    return std::ranges::any_of(labels, [&x](const auto& label) {
      return label == x || (x.find('=') == x.npos && label_key(label) == x);
    });
  });
}

std::string join_labels(const std::vector<std::string>& labels) {
  std::string result;
  for (const auto& label : labels)
    result += (result.empty() ? "" : ",") + label;
  return result;
}

} // namespace forkfleet
