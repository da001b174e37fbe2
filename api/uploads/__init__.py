"""Files beside GraphQL: `POST /upload` takes one, `GET /attachments/{id}` gives it back."""
