/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For cppcheck alone, which does not read the headers of libraries: their macros that are statements. */
#define json_array_foreach(array, index, value)                                                              \
        for ((index) = 0; (index) < json_array_size(array) && ((value) = json_array_get(array, index));      \
             (index)++)
#define json_object_foreach(object, key, value)                                                              \
        for ((key) = json_object_iter_key(json_object_iter(object));                                         \
             (key) && ((value) = json_object_get(object, key));                                              \
             (key) = json_object_iter_key(json_object_iter_next(object, json_object_key_to_iter(key))))
#define json_object_foreach_safe(object, n, key, value) json_object_foreach(object, key, value)
#define udev_list_entry_foreach(entry, first)                                                                \
        for ((entry) = (first); (entry); (entry) = udev_list_entry_get_next(entry))
