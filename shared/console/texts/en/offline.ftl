# When the line is down.
offline = The line is down
offline-page = This page could not be loaded. Nothing was sent from it.
offline-held = Kept on this phone, not sent
offline-held-what = The server has not confirmed it: take it that nobody was told. When the line is back it leaves by itself within 15 minutes; later you are asked first. Sent twice, it is one alert.
offline-none = Nothing is held.
offline-send = Send now
offline-drop = Drop it, do not send
offline-sent = Sent.
offline-old = Held for over 15 minutes: is it still right? Press “Send now” or “Drop it”.
offline-refused = The server did not take it: sign in and press “Send now”, or open the draft to change it.
offline-kept-at = Held since
