// What `graphql-codegen` makes: types for every operation, and a manifest of trusted documents.
export default {
  schema: process.env.SDL,
  documents: ["operations/*.graphql"],
  generates: {
    "generated/": {
      preset: "client",
      presetConfig: { persistedDocuments: { hashAlgorithm: "sha256" } },
      config: {
        documentMode: "string",
        enumsAsTypes: true,
        // A scalar that is not named here is an error, not `any`.
        strictScalars: true,
        defaultScalarType: "unknown",
        scalars: {
          Date: "string",
          DateTime: "string",
          Fen: "number",
          PhoneNumber: "string",
          Points: "number",
          URL: "string",
        },
      },
    },
  },
};
